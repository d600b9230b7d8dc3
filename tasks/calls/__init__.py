"""Every paid call of every flow: remembered, within a budget, so many at once, patient with the
endpoint.
"""
