"""The dock "Fine-tune": from pairs to a model, in a process of its own."""
