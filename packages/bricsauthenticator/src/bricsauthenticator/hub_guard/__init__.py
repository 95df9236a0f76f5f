"""What a hub refuses, whatever its authenticator and spawner.

It imports nothing of bricsauthenticator. hubpod puts a copy beside the configuration of hubs without that package.
"""
