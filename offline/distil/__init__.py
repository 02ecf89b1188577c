"""The content encoder taught by larger ones that hear whole recordings; on a card, in minutes."""
