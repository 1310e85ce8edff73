"""What a release is made of and when it moves: pure functions of plain values.

Shares are whole thousandths of a percent (0 to 100,000), times are seconds or instants that are
given. Nothing here knows Django, Redis or a clock.
"""
