"""`gatepost regime`: check a regime, or explain it. (Being written.)"""
