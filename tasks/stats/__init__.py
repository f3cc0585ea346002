"""Statistics: roll-ups that are kept as tasks end, and what they answer."""

from tasks.stats.answers import RANGES, Answer, Bucket, answer
from tasks.stats.rollup import count_anew, roll_up

__all__ = ["RANGES", "Answer", "Bucket", "answer", "count_anew", "roll_up"]
