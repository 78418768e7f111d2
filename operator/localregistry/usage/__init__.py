"""The second container of a registry's pod: says how much of the volume is used."""
