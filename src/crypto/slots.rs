//! A two-slot file: the newer valid slot counts, a write goes to the other one. (to be written)
