"""Asks who is logged in."""
import os

from probe import attempt

attempt(os.getlogin)
