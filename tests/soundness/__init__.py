"""The judge is judged: right gradients that have to pass (`catalogue`), and errors of known size (`planted`)."""
