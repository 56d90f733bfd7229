"""The benchmarks beside the peers: what `benches/side-by-side` is made of."""
