from source_pipedrive import main

main()
