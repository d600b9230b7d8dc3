"""The public page of figures: what is measured is written as JSON, and page, plots and the README's
sentence are made of that alone.
"""
