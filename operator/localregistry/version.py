"""The version, in one place: the package, the chart and the images take it from here."""

VERSION = "0.1.0"
