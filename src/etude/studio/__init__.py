"""The same rooms in a browser, for one person on their own machine: every page is made of the views that the terminal shows."""
