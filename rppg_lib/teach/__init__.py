"""What only a reader needs: sliders and checks of exercises."""
