"""Checking a results folder against itself, against git and against fresh executions.

A whole audit says three things: what was checked and holds, what is wrong (each fault names its file), and what could
not be checked on this machine. The last list is never empty: nobody can show from files alone that a model wrote them.
"""
