"""The sandbox as fixtures: both systems as real servers on free ports."""
