//! Whole journals in, whole reports out.

mod golden;
mod known_answers;
mod layers;
mod quality;
mod support;
