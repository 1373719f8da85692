"""The API cell's side of sync: applies records, confirms offers, resends, delivers, heals.

May assume the view database and that the sender of a message is told by the transport.
Never trusts a payload about who sent it; never speaks to a child's database.
"""
