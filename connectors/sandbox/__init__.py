"""Both systems emulated as real HTTP servers, with switchable faults and a demo company."""
