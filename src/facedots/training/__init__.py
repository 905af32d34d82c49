"""Training: a recipe decides everything, Lightning does the work. Needs the extra
``facedots[train]``.
"""
