module localregistry.dev/tests/kind/go/prometheus-operator

go 1.26.0

// Nothing is built of it: its CRDs are read.
require github.com/prometheus-operator/prometheus-operator v0.85.0
