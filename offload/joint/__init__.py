"""BS-MARL with SpaceVerse inside: a gate chooses the frames, a compressor their bytes, and accuracy is measured."""
