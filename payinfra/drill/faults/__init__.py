"""The faults that a drill injects: what each is, how it is injected, observed and rolled back."""
