"""SQLite's sqllogictest corpus through Flight SQL, over tables in every state of storage."""
