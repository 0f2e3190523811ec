"""What makes sound of genomes: generators behind one interface."""
