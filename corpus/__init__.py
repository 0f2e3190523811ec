"""What we learn from and play from: audio files, stems, segments, stores."""
