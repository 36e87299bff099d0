"""Video in and out, faces in it, and the colour of their skin."""
