"""Text-to-image diffusion behind one call. Import from its modules: this file loads nothing, so the command line
starts fast."""
