"""The scenarios: each reads like the sentence that it judges. Importing a module registers its checks.

Portable ones speak to any server through its dialect; what only roomproof.v1 has may name its messages.
"""
