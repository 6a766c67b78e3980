"""Bytes to Images: folders, tables, arrays and official files, decoded once and kept in their depth."""
