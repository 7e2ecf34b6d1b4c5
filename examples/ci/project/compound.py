"""Compound interest: the code that a pull request changed."""


def balance(principal, rate, years):
    if years < 0:
        raise ValueError(f"years must not be negative, got {years}")
    return principal * (1 + rate) ** years
