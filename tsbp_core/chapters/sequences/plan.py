"""Does the reset's term help a recurrent network that reads sequences?

The plan of the recurrent networks, written before the first run
----------------------------------------------------------------
Tasks: ``data.TASKS``. "rows" are handwritten digits, a row of pixels at a time; "vowels" utterances
of nine speakers; "xor" asks for two bits long after they were shown. "pixels" and "shuffled" are
the digits a pixel at a time, in order and not. What is tested is held out as ``data`` says.

Network: one recurrent layer of 64 neurons with synaptic currents, ``recurrent``. Surrogates are
logistic curves: "low" has slope 10 and peak 1, "tall" slope 25 and area 1, so peak 6.25. Chapter
10's bound for a neuron by itself is 2.11 (soft reset) and 1.11 (hard). ``UPDATES`` of 64 sequences,
at a constant rate, with Adam or with gradient descent with momentum 0.9.

Unit: a cell is a task, a surrogate, a reset and an optimiser: 20 cells a surrogate. In a cell each
seed gives one pair of networks, rho = 1 and rho = 0, equal in first weights, validation fold,
batches and number of updates.

Learning rates: the sweep trains both methods at all of RATES, about a factor of 3 apart, with seeds
0 to 4. A method's best rate is where the mean accuracy on the validation part after the last update
is highest. A best rate at an edge of the grid is marked. Then seeds 10 to 44 are trained at these
two rates; they alone decide what follows. The test part chooses nothing.

Primary outcome, "ends": test accuracy after the last update, in points, rho = 1 minus rho = 0,
paired over the 35 seeds. Student's t interval, Bonferroni over the 20 cells of a surrogate. With a
margin of 2 points the cell is "equal" if the interval lies within -2 to +2, "help" if it lies above
0 (and not within), "harm" if it lies below 0 (and not within), and "open" in all else. A network
whose logits are not finite is right nowhere. Where neither method's mean is a quarter of the way
from chance to all right, the cell is "not learnt", whatever the difference. A cell is flat if for
both methods the training loss of the last stretch between looks (median over networks) is less than
0.02, or less than 5 %, below that of the stretch before; where it is not, the cell is said to be
unfinished.

Secondary, "speed": updates until the validation accuracy is first nine tenths of the way from
chance to the lower of the two methods' mean last ones, by straight lines between looks; log2 of the
ratio, rho = 1 over rho = 0, at the rates and seeds of "ends", interval as above. A network that no
look finds there counts with the last update. faster: below 0; slower: above 0; equal: within a
factor of 1.25 both ways; else open.
Without verdicts: the sweep's accuracies rate by rate.

What would refute what the book says, read off all cells of a surrogate:

1. "Spike times matter, so keep the term" is about "low". It stands for what is learnt in the end if
   at least half of the 20 cells help and none harms; it is refuted if at least half are equal or
   harmed; else undecided. It stands for speed by the same count of faster and slower.
2. "Tall: drop it" is about "tall". It stands if at least half are harmed and none is helped; it is
   refuted if at least half are equal or helped; else undecided.
3. Chapter 10's bound is about a neuron's own step. A recurrent step has the term h V / tau_s too,
   with the term as without. Carried back through the same network, a credit should grow faster with
   the term than without where h is above the bound, and not where it is below. ``compare`` measures
   both, before and after training. The bound tells if the median over the final networks of the
   difference (``outcomes.added_growth``) has the expected sign in every group, before training and
   after; the groups where it has not are named.

The length and direction of the two gradients, of the same weights, are described without verdicts.

Number of looks: 20 cells for each surrogate. What is run first is decided by the order of
``groups`` and the time there is, not by results; a rule whose cells are not all run has no verdict.

The pilot: seed 100 on the validation part, low surrogate and soft reset where nothing else is said.
Best rates of Adam were 0.01 to 0.03 ("rows", 400 updates, 89 % with the term and 85 without),
0.003 to 0.03 ("vowels", 200, 96 both) and 0.001 to 0.03 ("xor", 800, 99.7 and 98); of momentum
with and without the term 0.3 and 0.03 ("rows", 86 and 80), 0.03 to 0.1 ("vowels"), and 0.003 with
it ("xor", 95), where nothing was learnt without. "rows" with the hard reset, 200 updates: 77 and 78
(Adam), 77 and 73. "xor" with the hard reset, 300 updates: 97.5 and 98 (Adam), chance (momentum).
"rows" with the tall surrogate, 100 updates: 29 and 53 (Adam), chance and 20. "pixels" was at 66 %
after 800 updates, at 75 after 3,000 in an earlier scaling of the weights, and is kept as a task
that networks of this size learn slowly; channels that tell the row did not help. The currents'
1/tau_s, first weights scaled neuron by neuron and the size of the recurrent ones were chosen for
faster learning on "pixels" with the term. In the untrained networks a credit's mean logarithm a
step was with and without the term -0.04 and 0.02 (low, "vowels") and 0.22 and 0.24 (tall, "rows"),
so the second of rule 3's signs was seen to be in doubt.
"""

from dataclasses import dataclass

from tsbp_core import LIF, surrogates
from tsbp_core.chapters.sequences import data

DECAY, THRESHOLD, TAU_S = 0.9, 1.0, 5.0
PEAKS = {"low": surrogates.Sigmoid(0.1), "tall": surrogates.Sigmoid(0.04, unit="area")}
"""Logistic of slope 10 with peak 1, and of slope 25 with area 1, so with peak 6.25."""
RESETS = "zero", "subtract"
OPTIMIZERS = "adam", "sgd"
RHOS = 1.0, 0.0
RATES = {
    "adam": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "sgd": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
}
SWEEP_SEEDS = tuple(range(5))
FINAL_SEEDS = tuple(range(10, 45))
"""As many networks in both parts, 140, so that one recording of the steps' kernels serves both."""
UPDATES = {"rows": 1500, "vowels": 600, "xor": 1500, "pixels": 3000, "shuffled": 3000}
HARD = "pixels", "shuffled"
"""Tasks that the pilot's networks had not learnt well when they were stopped."""
LOOKS = 20
LOWER = {"xor": RESETS, "pixels": ("subtract",), "shuffled": ("subtract",)}
"""Tasks and resets of ``lower_rates``, which was added later; "xor-rates" is a results file."""
LONGER = "sequences-longer"
"""Results of ``longer``, which was added later."""
EDGES = "sequences-edges"
"""Results of ``edges``, which was added later still."""
SKIP, BACK = 4, 10
"""Steps before the end where a credit's growth begins to be followed, and for how many."""


@dataclass(frozen=True)
class Group:
    """Networks that share task, reset and surrogate."""

    task: str
    reset: str
    peak: str

    @property
    def name(self):
        """As in a results file's keys."""
        return f"{self.peak}/{self.reset}"

    @property
    def lif(self):
        """The networks' neuron."""
        return LIF(DECAY, THRESHOLD, self.reset, PEAKS[self.peak])


def groups(tasks=tuple(data.TASKS)):
    """In the order in which they run: what networks learn well first, then the low surrogate."""
    blocks = [[task for task in tasks if (task in HARD) == hard] for hard in (False, True)]
    return [
        Group(task, reset, peak)
        for block in blocks
        for peak in PEAKS
        for task in block
        for reset in RESETS
    ]


def rows(part, optimizer, rho, rate=None):
    """Where a part's networks of this method are, by seed."""
    chosen = [
        (m[3], n)
        for n, m in enumerate(part["methods"])
        if (m[0], m[2]) == (optimizer, rho) and rate in (None, m[1])
    ]
    return [n for _, n in sorted(chosen)]
