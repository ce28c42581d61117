# GridSearchCV; data from sklearn.datasets; multi-class; the scaler is fitted on the training rows.

# %%
from sklearn.datasets import load_wine
import pandas as pd
wine = load_wine()
wine.keys()

# %%
print(wine.DESCR[:400])

# %%
df = pd.DataFrame(wine.data, columns=wine.feature_names)
df['target'] = wine.target
df['kind'] = df.target.apply(lambda x: wine.target_names[x])
df.groupby('kind').mean(numeric_only=True).T

# %%
import matplotlib.pyplot as plt
df0, df1, df2 = df[:59], df[59:130], df[130:]
plt.scatter(df0['alcohol'], df0['proline'], marker='+')
plt.scatter(df1['alcohol'], df1['proline'], marker='.')
plt.scatter(df2['alcohol'], df2['proline'], marker='x')

# %%
X = df.drop(['target', 'kind'], axis='columns')
y = df.target

# %%
from sklearn.model_selection import train_test_split, GridSearchCV
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=42, stratify=y)

# %%
from sklearn.preprocessing import StandardScaler
sc = StandardScaler()
X_train = sc.fit_transform(X_train)
X_test = sc.transform(X_test)

# %%
from sklearn.svm import SVC
SVC().fit(X_train, y_train).score(X_test, y_test)

# %%
# %%time
param_grid = {'C': [0.1, 1, 10], 'gamma': [0.1, 0.01, 0.001], 'kernel': ['rbf', 'linear']}
grid = GridSearchCV(SVC(), param_grid, refit=True, cv=3)
grid.fit(X_train, y_train)

# %%
print(grid.best_params_)
pd.DataFrame(grid.cv_results_)[['param_C', 'param_gamma', 'param_kernel', 'mean_test_score']]

# %%
from sklearn.metrics import classification_report, confusion_matrix, accuracy_score
grid_predictions = grid.predict(X_test)
print(confusion_matrix(y_test, grid_predictions))
print(classification_report(y_test, grid_predictions))
print('accuracy', accuracy_score(y_test, grid_predictions))
