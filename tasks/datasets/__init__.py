"""What people's word on answers comes to: golden questions, cases, curated answers, training
rows.
"""
