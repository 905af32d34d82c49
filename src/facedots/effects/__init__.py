"""Done to images: stickers, makeup, face swap, anonymization."""
