"""Can a keypoint data set be trusted? Duplicates, leaks, wrong, swapped and displaced labels, gaps
in what is covered.
"""
