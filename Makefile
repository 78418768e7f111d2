# `make` alone lists what there is. `make demo` and `make test` are all that a newcomer needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# The cluster's scripts need nothing but Python itself, so they run before there is a virtualenv.
KIND := PYTHONPATH=tests $(PYTHON) -m kind
# The operator's image and the agent's, as the cluster's nodes know them.
OPERATOR_IMAGE ?= docker.io/localregistry/operator:dev
AGENT_IMAGE ?= docker.io/localregistry/agent:dev
# What `test-kubernetes` runs on other versions of Kubernetes; "api e2e" makes a cluster of each.
TIERS ?= api

##@ The two commands

.PHONY: demo
demo: $(VENV)/.installed ## A real cluster, a registry in it, a push, and pods of the image on every node
	$(PY) -m e2e.demo up

.PHONY: test
test: $(VENV)/.installed ## Everything: lint, types, unit, chart, agent, api, faults and e2e tests, with one summary
	$(PY) -m tiers lint unit chart agent api faults e2e

##@ Parts of them

.PHONY: demo-clean
demo-clean: $(VENV)/.installed ## Remove the demo, and show that each node is as it was before
	$(PY) -m e2e.demo down

.PHONY: test-unit
test-unit: $(VENV)/.installed ## Unit tests: no cluster, under 30 s
	$(PY) -m tiers unit

.PHONY: test-chart
test-chart: $(VENV)/.installed ## The chart by the real Helm 3 and 4, and kustomize
	$(PY) -m tiers chart

.PHONY: test-agent
test-agent: $(VENV)/.installed ## The node agent on real dockerds and containerds of many releases
	$(PY) -m tiers agent

.PHONY: test-api
test-api: $(VENV)/.installed ## Tests against a real etcd and kube-apiserver (built on first use)
	$(PY) -m tiers api

.PHONY: test-faults
test-faults: $(VENV)/.installed ## The operator under every fault of every write: all points, counted
	$(PY) -m tiers --long faults

.PHONY: test-e2e
test-e2e: $(VENV)/.installed ## Tests on the kind cluster: real kubelets, dockerd, containerd, nginx
	$(PY) -m tiers e2e

.PHONY: test-lifecycle
test-lifecycle: $(VENV)/.installed ## Install, upgrade, sharing, nodes that come and go, removal; all of it (40 minutes)
	$(PY) -m tiers --long --only lifecycle api e2e

.PHONY: test-ux
test-ux: $(VENV)/.installed ## What people see: conditions, the command line, the page, metrics; no other test
	$(PY) -m tiers --long --only ux unit api e2e

.PHONY: test-all
test-all: $(VENV)/.installed ## As `test`, with what takes minutes by its nature
	$(PY) -m tiers --long lint unit chart agent api faults e2e

.PHONY: test-kubernetes
test-kubernetes: $(VENV)/.installed ## TIERS (api, unless told) on the oldest and on the newest Kubernetes that the chart is for
	for version in $$($(KIND) versions); do KUBERNETES=$$version $(PY) -m tiers $(TIERS); done

.PHONY: cluster
cluster: ## Bring up the kind cluster: one control plane, one Docker worker, one containerd worker
	$(KIND) up

.PHONY: cluster-delete
cluster-delete: ## Delete it: no container, network or mount stays
	$(KIND) down

.PHONY: images
images: $(VENV)/.installed ## Build the operator's and the agent's image
	$(PY) -m e2e.images

.PHONY: bench
bench: $(VENV)/.plots ## Measure everything against its bars, and report (45 minutes; leave the machine alone)
	$(PY) -m bench $(BARS)

.PHONY: bench-controller
bench-controller: $(VENV)/.plots ## The operator: creation, idle cost, memory, 1,000 nodes and registries (25 minutes)
	$(PY) -m bench p1 p2 p3 p4 p7 p10

.PHONY: bench-agent
bench-agent: $(VENV)/.plots ## The node agent on the kind cluster (15 minutes)
	$(PY) -m bench p5 p6

##@ For those who change it

.PHONY: docs
docs: $(VENV)-docs/.installed ## Build the documentation as a site into build/docs; a dead link fails
	$(VENV)-docs/bin/python docs/site.py build/docs

.PHONY: lint
lint: $(VENV)/.installed ## ruff, mypy --strict, import-linter, generated files
	$(PY) -m tiers lint

.PHONY: format
format: $(VENV)/.installed ## Let ruff lay out the code
	$(VENV)/bin/ruff format operator tests manifests bench docs
	$(VENV)/bin/ruff check --fix operator tests manifests bench docs

.PHONY: manifests
manifests: $(VENV)/.installed ## Generate install.yaml, base/, the chart's CRD and README, and pages of the reference anew
	HELM="$$($(PY) -m kind tools helm | tail -1)/helm" $(PY) manifests/generate.py

.PHONY: verify
verify: $(VENV)/.installed ## Fail where a generated file is not what its source says; lint and render the chart
	HELM="$$($(PY) -m kind tools helm | tail -1)/helm" $(PY) manifests/generate.py --check
	$(PY) -m tiers chart
	$(PY) -m pytest -q tests/api/test_chart.py

.PHONY: release
release: $(VENV)/.installed ## Build and check wheel, chart, manifests and SBOMs in dist/; publish nothing
	HELM="$$($(PY) -m kind tools helm | tail -1)/helm" $(PY) manifests/release.py

.PHONY: golden
golden: $(VENV)/.installed ## Write the golden files anew; read the diff before you commit it
	$(PY) -m pytest tests/unit tests/chart -q --update-golden

.PHONY: install
install: $(VENV)/.installed ## Make the virtualenv with all that the project and its tests need

.PHONY: clean
clean: ## Remove the virtualenv and caches; the cluster and its cache stay
	rm -rf $(VENV) $(VENV)-docs build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find operator tests bench -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/it"; exit 1; }
	@echo "Making the virtualenv (about 30 s)"
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing: apt-get install python3-venv"; exit 1; }
	@$(VENV)/bin/python -m pip install --quiet --editable '.[dev]'
	@# Programs of the tests: `python -m kind`, `-m tiers`, `-m e2e.demo`.
	@echo "$(CURDIR)/tests" > "$$($(VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/localregistry-tests.pth"
	@touch $@

$(VENV)-docs/.installed: pyproject.toml
	@$(PYTHON) -m venv $(VENV)-docs
	@$(VENV)-docs/bin/python -c 'import tomllib; \
	  print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"], sep="\n")' \
	  > $(VENV)-docs/requirements.txt
	@$(VENV)-docs/bin/python -m pip install --quiet --requirement $(VENV)-docs/requirements.txt
	@touch $@

$(VENV)/.plots: $(VENV)/.installed
	@$(VENV)/bin/python -m pip install --quiet --editable '.[dev,bench]'
	@touch $@
