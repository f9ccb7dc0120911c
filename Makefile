# Every target sets up .venv by itself; nothing is done twice.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check
UV ?= uv
STUDY ?= grid
JOBS ?= -1
DEVICE ?= cpu
PAGES := _build/html
# The C library keeps freed arrays in place of returning them to the system, and asks for huge pages;
# otherwise the page faults of fresh arrays cost more than the arithmetic. Chapter 8 explains it.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592
export THP_MEM_ALLOC_ENABLE ?= 1
# Compiled kernels are kept with the other things that are built, unless a space in the path, which
# torch cannot do with, leaves them to torch's own folder.
ifeq ($(words $(CURDIR)),1)
export TORCHINDUCTOR_CACHE_DIR ?= $(CURDIR)/_build/kernels
endif
.DEFAULT_GOAL := help
.PHONY: help setup lock inputs book test pdf lab toy toy-wide toy-map toy-why toy-presets cifar10 quarter quarter-start escape growth growth-probe converged sequences sequences-longer sequences-edges xor-rates pixels-rates shuffled-rates frameworks bench gpu clean

help:  ## Say what there is
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## Make .venv with the pinned packages (TORCH_INDEX: see requirements-torch.txt)

$(READY): requirements.txt requirements-torch.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 14) else "Python 3.11 to 3.14 is needed, %s is %d.%d; name another: make PYTHON=python3.12 ..." % (sys.executable, *v))'
	@echo "Step 1 of 3: the packages of requirements.txt, 440 MB to download, into .venv. It takes a few minutes."
	@$(PYTHON) -m venv .venv
	@$(PIP) install --quiet --require-hashes -r requirements.txt
	@echo "Step 2 of 3: PyTorch. requirements-torch.txt says how to take a smaller build."
	@$(PIP) install $(if $(TORCH_INDEX),--index-url "$(TORCH_INDEX)") -r requirements-torch.txt
	@echo "Step 3 of 3: the book's own package."
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# Which versions: pyproject.toml says what is asked for, the file itself what was pinned before.
lock:  ## Pin again what pyproject.toml asks for (needs uv; UPGRADE=--upgrade for the newest)
	$(UV) pip compile pyproject.toml --extra full --group book --group test --constraint requirements-torch.txt \
	    --universal --python-version 3.11 --generate-hashes --no-emit-package torch --custom-compile-command "make lock" \
	    --quiet $(UPGRADE) --output-file requirements.txt

# What chapters read: files with their names, whether CIFAR-10 is there, and a compiler.
inputs:
	@mkdir -p _build
	@find tsbp_core data/results requirements.txt requirements-torch.txt book/one_neuron.py book/publish.py book/light.py -type f ! -name '*.pyc' | LC_ALL=C sort | xargs cksum > _build/inputs
	@ls -d data/cifar-10-batches-bin "$$TSBP_DATA" "$$TSBP_DATA"/cifar-10-batches-bin 2>/dev/null >> _build/inputs || true
	@for name in "$$CXX" g++ clang++; do command -v "$$name"; done >> _build/inputs || true

# Sphinx and the cache of executed chapters know the notebooks only: drop what they remember when
# anything else that chapters read changed.
book: $(READY) inputs  ## Build the book into _build/html
	@cmp -s _build/inputs _build/inputs.built || rm -rf _build/.jupyter_cache _build/.doctrees
	@$(BIN)/python book/build.py
	@cp _build/inputs _build/inputs.built
	@echo "The book is built. Open $(CURDIR)/$(PAGES)/index.html"

test: book  ## Lint, build the book, run all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 --dist loadgroup

pdf: book  ## Print the whole book into _build/html/book.pdf, and take pictures of its pages (needs Chromium)
	$(BIN)/python book/pdf.py
	@$(BIN)/python book/pictures.py

lab: book  ## Open the pages as notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir _build/lab --LabApp.default_url=/lab/tree/index.ipynb

toy:  ## The single neuron's main study; also toy-wide, -map, -why (minutes, resumable)
toy toy-wide toy-map toy-why: $(READY)
	$(BIN)/python -m tsbp_core.chapters.toy.study $(if $(filter toy,$@),main,$(@:toy-%=%)) --jobs $(JOBS)

toy-presets: $(READY)  ## What the playground's presets give with 100 seeds (a minute)
	$(BIN)/python -m tsbp_core.chapters.toy.presets --jobs $(JOBS)

cifar10: $(READY)  ## Train both methods on CIFAR-10 (STUDY: smoke, grid, factors, larger, headline, ...)
	$(BIN)/python -m tsbp_core.chapters.cifar10.study $(STUDY) --jobs $(JOBS)

quarter: $(READY)  ## The paper's network and loss at a quarter of its width, 32 runs (a GPU; resumable)
	@train() { $(BIN)/python -m tsbp_core.chapters.cifar10.paper --preset quarter "$$@"; }; \
	for lr in 5e-4 1.5e-3 1.5e-4; do for seed in 0 1 2 3 4; do for rho in 1 0; do \
	    train --lr $$lr --seed $$seed --rho $$rho || exit 1; \
	done; done; done; \
	for rho in 1 0; do train --lr 5e-3 --seed 0 --rho $$rho || exit 1; done

quarter-start: $(READY)  ## Whether its networks live through their start at large rates (half an hour on 2 cores, resumable)
	$(BIN)/python -m tsbp_core.chapters.cifar10.start --jobs $(JOBS)

escape: $(READY)  ## The exact gradient with escape noise against surrogate gradients (minutes)
	$(BIN)/python -m tsbp_core.chapters.escape.study

growth-probe: $(READY)  ## How credit grows with tall surrogates, in random neurons (minutes)
	$(BIN)/python -m tsbp_core.chapters.growth.probe

growth: $(READY)  ## What networks with tall surrogates learn in 150 updates (half an hour, resumable)
	$(BIN)/python -m tsbp_core.chapters.growth.study

converged: $(READY)  ## The same networks trained to convergence (DEVICE=cuda: minutes; on a CPU days, resumable)
	$(BIN)/python -m tsbp_core.chapters.growth.converged --device $(DEVICE)

VOWELS := data/sktime-1.2.0-py3-none-any.whl
$(VOWELS): | $(READY)
	@ls "$$TSBP_DATA"/sktime-*.whl 2>/dev/null || \
	    $(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps -d data sktime==1.2.0

sequences: $(READY) $(VOWELS)  ## Recurrent networks on real sequences (DEVICE=cuda: minutes; on 2 cores 7 hours, estimated; resumable)
	$(BIN)/python -m tsbp_core.chapters.sequences.study --device $(DEVICE)

sequences-longer: $(READY)  ## Four of their cells trained four times as long, added later (40 minutes on 2 cores, resumable)
	$(BIN)/python -m tsbp_core.chapters.sequences.longer --device $(DEVICE)

sequences-edges: $(READY)  ## Lower learning rates where the lowest was a best one, added later (23 minutes on 2 cores, resumable)
	$(BIN)/python -m tsbp_core.chapters.sequences.edges --device $(DEVICE)

xor-rates:  ## One of their tasks with SGD at lower learning rates, added later (10 to 45 minutes); also pixels-, shuffled-rates
xor-rates pixels-rates shuffled-rates: $(READY)
	$(BIN)/python -m tsbp_core.chapters.sequences.lower_rates $(@:-rates=)

.venv-peers/.ready: requirements-peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-peers.txt
	@touch $@

bench: .venv-peers/.ready  ## Time and memory against other libraries, in an environment of its own (6 GB)
	PYTHONPATH="$(CURDIR)" .venv-peers/bin/python -m tsbp_core.chapters.cost.study

frameworks: .venv-peers/.ready  ## What other libraries do with the reset's gradient, in the same environment
	PYTHONPATH="$(CURDIR)" .venv-peers/bin/python -m tsbp_core.chapters.frameworks.study

gpu: $(READY)  ## Device tests, speed and the recipe of chapter 13 on a GPU (eight minutes)
	$(BIN)/python -m tsbp_core.chapters.cost.gpu

clean:  ## Remove what was built; keep data, results and checkpoints
	rm -rf .venv .venv-peers _build .pytest_cache .ruff_cache .hypothesis
