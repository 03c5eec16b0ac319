"""Is this machine fit for a study? Checks that say what they found and how to mend what is wrong.

A check is a function `Case -> Finding` that changes nothing; a new one is a function more in `examination.CHECKS`.
"""
