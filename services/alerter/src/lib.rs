//! Watches every chain and says why it is silent.
