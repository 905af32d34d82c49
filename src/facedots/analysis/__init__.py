"""Read off one face: head pose, expression, mesh, texture, alignment."""
