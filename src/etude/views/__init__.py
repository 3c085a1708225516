"""What is shown of a network, a check, a paper, a comparison: computed once, as plain values; a face in `report/` turns them into text,
a page, JSON or a cell of a notebook."""
