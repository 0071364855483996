"""Walks through every state that a lane can reach, and checks the safety rules S1 to S9 there."""
