//! Experiments on Brownout worlds.
