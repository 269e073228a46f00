"""Bytes below (`base.Link`), meaning above (`dut.Dut`). docs/link.md is the specification."""
