"""Crossing a block boundary: the plan of lengths, the sliding window, the splice, the driver."""
