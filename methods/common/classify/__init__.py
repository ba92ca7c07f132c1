"""Image classifiers: networks with any normalisation, and the stage that trains and measures one."""
