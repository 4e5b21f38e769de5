"""What starts Berth without a terminal: something to click, and the start at login.

The texts of these files are made in linux.py and macos.py, and touch nothing; piece.py is the one
place that writes and removes them. Everything lies in the user's own folders: no root, no other
account.
"""
