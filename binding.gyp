# `npx node-gyp rebuild` builds the CMake target: flags and sources live in CMakeLists.txt alone.
{
  'targets': [
    {
      'target_name': 'dyconv',
      'type': 'none',
      'actions': [
        {
          'action_name': 'cmake',
          'message': 'Building build/<(CONFIGURATION_NAME)/dyconv.node with CMake',
          'inputs': [],
          # Never made, so that the action runs every time: CMake knows what is out of date.
          'outputs': ['<(INTERMEDIATE_DIR)/always'],
          'action': ['node', 'scripts/build.js', '--config', '<(CONFIGURATION_NAME)'],
        },
      ],
    },
  ],
}
