"""Predict first: what a reader guesses before an explorer shows its picture."""

from dataclasses import dataclass

from tsbp_core.page.controls import Control, Slider, field


@dataclass(frozen=True)
class Guess:
    """A question that the reader answers before the picture is shown, and its answer.

    Parameters
    ----------
    question : str
    control : Control or Slider
        What the guess is marked with: a choice, or a slider over numbers.
    answer : value
        One of the choice's values, or a number.
    words : str, default ""
        Said after guess and answer.
    sets : str, default ""
        The explorer's control that guess and answer set, each by a button.
    """

    question: str
    control: Control | Slider
    answer: object
    words: str = ""
    sets: str = ""

    def fields(self):
        """The guess as guess.js takes it."""
        marked = field(self.control, computed=True)
        number = isinstance(self.control, Slider)
        return {
            "question": self.question,
            "field": marked if number else marked | {"radio": True},
            "answer": self.answer if number else str(self.answer),
            "words": self.words,
            "see": self.sets,
        }
