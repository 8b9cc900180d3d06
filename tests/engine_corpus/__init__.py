"""DataFusion's own test files through Flight SQL, beside the bare engine, over tables in every state of storage."""
